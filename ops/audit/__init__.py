"""The audit command: is every new order of the store in the table?"""
