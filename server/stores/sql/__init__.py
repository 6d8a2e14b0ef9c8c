"""The store in a database: the log of publications, and the rows that kinds keep."""
