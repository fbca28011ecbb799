# A pool of Cognito that signs people in.

locals {
  people = local.source.People
  client = local.source.Client
}

resource "aws_cognito_user_pool" "people" {
  name                     = var.name
  username_attributes      = local.people.UsernameAttributes
  auto_verified_attributes = local.people.AutoVerifiedAttributes
  mfa_configuration        = local.people.MfaConfiguration
  deletion_protection      = var.protected ? local.people.DeletionProtection : "INACTIVE"

  user_attribute_update_settings {
    attributes_require_verification_before_update = (
      local.people.UserAttributeUpdateSettings.AttributesRequireVerificationBeforeUpdate
    )
  }

  admin_create_user_config {
    allow_admin_create_user_only = local.people.AdminCreateUserConfig.AllowAdminCreateUserOnly
  }

  software_token_mfa_configuration {
    enabled = contains(local.people.EnabledMfas, "SOFTWARE_TOKEN_MFA")
  }

  account_recovery_setting {
    dynamic "recovery_mechanism" {
      for_each = local.people.AccountRecoverySetting.RecoveryMechanisms

      content {
        name     = recovery_mechanism.value.Name
        priority = recovery_mechanism.value.Priority
      }
    }
  }

  password_policy {
    minimum_length                   = local.people.Policies.PasswordPolicy.MinimumLength
    require_lowercase                = local.people.Policies.PasswordPolicy.RequireLowercase
    require_numbers                  = local.people.Policies.PasswordPolicy.RequireNumbers
    require_symbols                  = local.people.Policies.PasswordPolicy.RequireSymbols
    require_uppercase                = local.people.Policies.PasswordPolicy.RequireUppercase
    temporary_password_validity_days = 7
  }
}

resource "aws_cognito_user_group" "admins" {
  user_pool_id = aws_cognito_user_pool.people.id
  name         = local.source.Admins.GroupName
  description  = local.source.Admins.Description
}

resource "aws_cognito_user_pool_domain" "domain" {
  user_pool_id = aws_cognito_user_pool.people.id
  domain       = var.prefix
}

resource "aws_cognito_user_pool_client" "client" {
  user_pool_id                         = aws_cognito_user_pool.people.id
  name                                 = var.name
  generate_secret                      = local.client.GenerateSecret
  allowed_oauth_flows_user_pool_client = local.client.AllowedOAuthFlowsUserPoolClient
  allowed_oauth_flows                  = local.client.AllowedOAuthFlows
  allowed_oauth_scopes                 = local.client.AllowedOAuthScopes
  supported_identity_providers         = local.client.SupportedIdentityProviders
  callback_urls                        = jsondecode(templatestring(local.text["Client"], local.filled)).CallbackURLs
  logout_urls                          = jsondecode(templatestring(local.text["Client"], local.filled)).LogoutURLs
  prevent_user_existence_errors        = local.client.PreventUserExistenceErrors
  enable_token_revocation              = local.client.EnableTokenRevocation
}

locals {
  filled = merge(local.given, { People = aws_cognito_user_pool.people.id })
}

resource "aws_secretsmanager_secret" "client_secret" {
  name        = "${var.name}-sign-in"
  description = local.source.ClientSecret.Description
  kms_key_id  = var.data_key

  recovery_window_in_days = var.protected ? 30 : 0
}

resource "aws_secretsmanager_secret_version" "client_secret" {
  secret_id                = aws_secretsmanager_secret.client_secret.id
  secret_string_wo         = aws_cognito_user_pool_client.client.client_secret
  secret_string_wo_version = 1

  # a value that is only written is not compared: another client is another secret
  lifecycle {
    replace_triggered_by = [aws_cognito_user_pool_client.client.id]
  }
}
