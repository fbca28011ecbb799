"""Entry points for AWS Lambda: a module for each function, over the same `App` as everywhere."""
