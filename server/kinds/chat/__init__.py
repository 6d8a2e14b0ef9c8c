"""Kind `chat`: rooms where people talk, and the list of them."""
