# The secret that signs links, and the function that changes it every month.

locals {
  role = jsondecode(templatestring(local.text["RotationRole"], merge(local.given, {
    LinkSecret      = aws_secretsmanager_secret.link_secret.arn
    RotationLog_Arn = aws_cloudwatch_log_group.rotation_log.arn
  })))
  function = local.source.RotationFunction
}

resource "aws_secretsmanager_secret" "link_secret" {
  name        = "${var.name}-links"
  description = local.source.LinkSecret.Description
  kms_key_id  = var.data_key

  recovery_window_in_days = var.protected ? 30 : 0
}

ephemeral "aws_secretsmanager_random_password" "first" {
  password_length     = local.source.LinkSecret.GenerateSecretString.PasswordLength
  exclude_punctuation = local.source.LinkSecret.GenerateSecretString.ExcludePunctuation
}

# Written once and kept out of the state; the rotation changes it afterwards.
resource "aws_secretsmanager_secret_version" "first" {
  secret_id                = aws_secretsmanager_secret.link_secret.id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.first.random_password
  secret_string_wo_version = 1
}

resource "aws_secretsmanager_secret_rotation" "rotation" {
  secret_id           = aws_secretsmanager_secret.link_secret.id
  rotation_lambda_arn = aws_lambda_function.rotation_function.arn
  rotate_immediately  = local.source.Rotation.RotateImmediatelyOnUpdate

  rotation_rules {
    automatically_after_days = var.rotation_days
  }

  # AWS calls the function at once
  depends_on = [
    aws_lambda_permission.rotation_permission,
    aws_secretsmanager_secret_version.first,
    aws_iam_role_policy.rotation_role,
  ]
}

resource "aws_lambda_permission" "rotation_permission" {
  function_name  = aws_lambda_function.rotation_function.function_name
  action         = local.source.RotationPermission.Action
  principal      = local.source.RotationPermission.Principal
  source_account = local.given.AccountId
}

resource "aws_iam_role" "rotation_role" {
  name               = "${var.name}-rotation"
  assume_role_policy = jsonencode(local.source.RotationRole.AssumeRolePolicyDocument)
}

resource "aws_iam_role_policy" "rotation_role" {
  for_each = { for one in local.source.RotationRole.Policies : one.PolicyName => one }

  name   = each.key
  role   = aws_iam_role.rotation_role.name
  policy = jsonencode([for one in local.role.Policies : one.PolicyDocument if one.PolicyName == each.key][0])
}

resource "aws_lambda_function" "rotation_function" {
  function_name                  = "${var.name}-rotation"
  description                    = local.function.Description
  runtime                        = local.function.Runtime
  handler                        = local.function.Handler
  s3_bucket                      = var.code_bucket
  s3_key                         = var.api_code
  role                           = aws_iam_role.rotation_role.arn
  architectures                  = local.function.Architectures
  memory_size                    = local.function.MemorySize
  timeout                        = local.function.Timeout
  reserved_concurrent_executions = try(local.function.ReservedConcurrentExecutions, null)

  environment {
    variables = { for name, value in { AWS_ENDPOINT_URL = var.endpoint } : name => value if value != "" }
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.rotation_log.name
  }
}

resource "aws_cloudwatch_log_group" "rotation_log" {
  name              = "/aws/lambda/${var.name}-rotation"
  retention_in_days = var.log_days
  kms_key_id        = var.data_key
}
