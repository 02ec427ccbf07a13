"""One bottle, one code: identifiers, keys, authenticity, reading and symbols. 一瓶一码。"""
