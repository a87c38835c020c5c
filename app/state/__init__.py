"""The store that workers and replicas share: connecting to it, and telling that it is gone."""
