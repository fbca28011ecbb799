output "mails" {
  description = "Name of the configuration set."
  value       = aws_sesv2_configuration_set.mails.configuration_set_name
}

output "mails_arn" {
  description = "ARN of it."
  value       = aws_sesv2_configuration_set.mails.arn
}
