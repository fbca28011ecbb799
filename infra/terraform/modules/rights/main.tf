# What several functions and services may do alike.

locals {
  documents = {
    for name, one in local.here : name => jsondecode(templatestring(local.text[name], local.given)).PolicyDocument
  }
}

resource "aws_iam_policy" "policy" {
  for_each = local.here

  name        = "${var.name}-${each.key}"
  description = each.value.Description
  policy = jsonencode({
    Version = local.documents[each.key].Version
    Statement = [
      for one in [
        for one in local.documents[each.key].Statement : try(local.given[one.If] ? one.Then : one.Else, one)
      ] : one if one != null
    ]
  })
}
