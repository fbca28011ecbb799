output "domain" {
  description = "Where your DNS lets the address lead."
  value       = aws_cloudfront_distribution.distribution.domain_name
}
