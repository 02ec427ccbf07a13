"""A generated town: companies, people, cylinders and a month of fills, for demonstrations and tests.

Everything in it is generated from a seed. No person, company, address, telephone or document number in it is
real; the town has the size that was published for Linhai (临海) in 2021, and nothing else of that city.
"""
