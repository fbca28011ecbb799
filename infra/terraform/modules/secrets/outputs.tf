output "link_secret" {
  description = "ARN of the secret, whatever AWS adds to its name."
  value       = aws_secretsmanager_secret.link_secret.arn
}

output "link_secret_name" {
  description = "Name of the secret."
  value       = aws_secretsmanager_secret.link_secret.name
  depends_on  = [aws_secretsmanager_secret_version.first]
}
