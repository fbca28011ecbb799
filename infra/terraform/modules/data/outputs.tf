output "table" {
  description = "Name of the table."
  value       = aws_dynamodb_table.table.name
}

output "table_arn" {
  description = "ARN of the table."
  value       = aws_dynamodb_table.table.arn
}

output "bucket" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.bucket.id
  depends_on  = [aws_s3_bucket_policy.bucket_policy]
}

output "bucket_arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.bucket.arn
}

output "log_bucket" {
  description = "Name of the bucket of logs."
  value       = aws_s3_bucket.log_bucket.id
  depends_on  = [aws_s3_bucket_policy.log_bucket_policy, aws_s3_bucket_ownership_controls.log_bucket]
}

output "data_key" {
  description = "ARN of the key of the bucket, the topic, the secret and the logs."
  value       = aws_kms_key.data_key.arn
}

output "sealing_key" {
  description = "Id of the key that seals."
  value       = aws_kms_key.sealing_key.key_id
}

output "sealing_key_arn" {
  description = "ARN of the key that seals."
  value       = aws_kms_key.sealing_key.arn
}
