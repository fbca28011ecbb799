output "address" {
  description = "Where the API and the pages are."
  value       = var.public_url != "" ? var.public_url : aws_apigatewayv2_api.http_api.api_endpoint
}

output "api" {
  description = "Id of the HTTP API."
  value       = aws_apigatewayv2_api.http_api.id
}

output "ingest_function" {
  description = "Name of the function that takes files from Kafka."
  value       = try(aws_lambda_function.function["IngestFunction"].function_name, "")
}

output "host" {
  description = "Name of the HTTP API's host."
  value       = trimprefix(aws_apigatewayv2_api.http_api.api_endpoint, "https://")
}
