"""Redis as the backplane, and the log that channels without a database share there.

backplane.py   what the hub holds: whole, cut off, and whole again
log.py         streams of publications, with (epoch, offset)
ear.py         the Pub/Sub connection of one server
entrance.py    which channels are brought: SSUBSCRIBE and SUNSUBSCRIBE, in batches
sender.py      the bounded queue of what is to be sent
census.py      the nodes that live; rolls.py: what they said in a channel
leases.py      one holder at a time
servers.py     the one server, or the masters of a cluster
wire.py        one connection; lane.py: the connections of one purpose
names.py       keys; codec.py: frames; scripts.py and lua/: what runs inside Redis
"""
