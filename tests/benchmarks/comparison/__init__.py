"""The gateway beside what somebody would write in an afternoon, a peer in another language, and the bare minimum."""
