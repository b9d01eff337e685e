"""Business Central: session and readers. Whatever the transport, what comes out is canonical documents; BC is only read."""
