"""Kind `ticker`: a simulated market, its quotes and its candles."""
