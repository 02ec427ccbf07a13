"""The HTTP door of the ledger. 气瓶追溯服务。"""
