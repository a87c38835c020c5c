"""The operators' status page at `/admin`: server-rendered, without scripts."""
