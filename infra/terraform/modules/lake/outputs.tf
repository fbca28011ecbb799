output "figures" {
  description = "Name of the bucket of figures."
  value       = aws_s3_bucket.figures.id
}

output "figures_arn" {
  description = "ARN of it."
  value       = aws_s3_bucket.figures.arn
}

output "database" {
  description = "Name of the database."
  value       = aws_glue_catalog_database.database.name
}
