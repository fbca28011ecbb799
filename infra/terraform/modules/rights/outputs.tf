output "state" {
  description = "ARN of the policy of what every function and service needs."
  value       = aws_iam_policy.policy["State"].arn
}

output "files" {
  description = "ARN of the policy of who changes files."
  value       = aws_iam_policy.policy["Files"].arn
}

output "figures" {
  description = "ARN of the policy of who exports figures, if they are exported."
  value       = try(aws_iam_policy.policy["Figures"].arn, "")
}

output "posts" {
  description = "ARN of the policy of who sends mails and events."
  value       = aws_iam_policy.policy["Posts"].arn
}

output "models" {
  description = "ARN of the policy of who asks models of AWS, if some are named."
  value       = try(aws_iam_policy.policy["Models"].arn, "")
}

output "brokers" {
  description = "ARN of the policy of who writes to the stream."
  value       = try(aws_iam_policy.policy["Brokers"].arn, "")
}
