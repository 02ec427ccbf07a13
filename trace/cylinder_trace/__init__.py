"""The ledger of gas cylinders and the one decision whether a cylinder may be filled. 气瓶追溯账本。"""
