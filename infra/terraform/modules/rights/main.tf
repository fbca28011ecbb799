# What several functions and services may do alike.

locals {
  chosen = merge(local.given, { HasFigures = var.has_figures })
  kept   = { for name, one in local.source : name => one if try(local.chosen[one.Condition], true) }
  documents = {
    for name, one in local.kept : name => jsondecode(templatestring(local.text[name], local.given)).PolicyDocument
  }
}

resource "aws_iam_policy" "policy" {
  for_each = local.kept

  name        = "${var.name}-${each.key}"
  description = each.value.Description
  policy = jsonencode({
    Version = local.documents[each.key].Version
    Statement = [
      for one in [
        for one in local.documents[each.key].Statement : try(local.chosen[one.If] ? one.Then : one.Else, one)
      ] : one if one != null
    ]
  })
}
