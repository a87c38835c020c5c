"""What changed between two OpenAPI documents, and whether clients of the first can live with the second."""
