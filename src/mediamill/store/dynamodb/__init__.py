"""DynamoDB: nothing to run, and no limit to grow into."""
