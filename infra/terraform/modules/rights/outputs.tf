output "state" {
  description = "ARN of the policy of what every function and service needs."
  value       = aws_iam_policy.policy["State"].arn
}

output "posts" {
  description = "ARN of the policy of who sends mails and events."
  value       = aws_iam_policy.policy["Posts"].arn
}

output "brokers" {
  description = "ARN of the policy of who writes to the stream."
  value       = try(aws_iam_policy.policy["Brokers"].arn, "")
}
