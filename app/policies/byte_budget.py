"""A bound on the bytes that several users of one thing may have together."""


class ByteBudget:
    """Bytes of a process that are taken and given back."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.used = 0

    def take(self, count: int) -> bool:
        """Take some bytes if there are as many; tell whether there were."""
        if self.used + count > self.most:
            return False
        self.used += count
        return True

    def give_back(self, count: int) -> None:
        """Give back what was taken."""
        self.used -= count
