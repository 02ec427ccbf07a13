"""The filling station: scan, decide, fill, record, also without a network. 充装站。"""
