"""Where events go beside webhooks: to a topic of SNS, or nowhere."""
