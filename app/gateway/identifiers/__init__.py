"""The platform's several numbers for one campaign, and the one call that tells them apart."""
