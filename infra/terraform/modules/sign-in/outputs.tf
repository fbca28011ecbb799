output "identity_url" {
  description = "Setting MEDIAMILL_IDENTITY_URL."
  value = join("", [
    "oidc+https://cognito-idp.${local.given.Region}.${local.given.URLSuffix}/${aws_cognito_user_pool.people.id}",
    "?client_id=${aws_cognito_user_pool_client.client.id}",
    "&client_secret=$${secretsmanager:${var.name}-sign-in?region=${local.given.Region}}",
    "&admins=${local.source.Admins.GroupName}&groups=cognito:groups",
  ])
  depends_on = [aws_secretsmanager_secret_version.client_secret, aws_cognito_user_pool_domain.domain]
}

output "client_secret" {
  description = "ARN of the secret by which Mediamill shows itself to Cognito."
  value       = aws_secretsmanager_secret.client_secret.arn
}

output "people" {
  description = "Id of the pool."
  value       = aws_cognito_user_pool.people.id
}
