# The role of the function: exactly the actions that the code declares in policies/permissions.json.

locals {
  declared = jsondecode(file(coalesce(var.permissions_file, "${path.module}/../../../policies/permissions.json")))

  # What each kind of resource stands for here.
  kinds = {
    tables           = sort(var.table_arns)
    topic            = [var.topic_arn]
    key              = [var.kms_key_arn]
    anomaly_monitors = ["arn:${local.partition}:ce::${var.account_id}:anomalymonitor/*"]
    budgets          = ["arn:${local.partition}:budgets::${var.account_id}:budget/*"]
    assume_roles     = sort(var.assume_role_arns)
    usage_buckets    = [for name in sort(var.usage_buckets) : "arn:${local.partition}:s3:::${name}"]
    usage_objects    = [for name in sort(var.usage_buckets) : "arn:${local.partition}:s3:::${name}/*"]
    athena_workgroup = var.athena == null ? [] : ["arn:${local.partition}:athena:${var.region}:${var.account_id}:workgroup/${var.athena.workgroup}"]
    athena_table = var.athena == null ? [] : [for part in ["catalog", "database/${var.athena.database}", "table/${var.athena.database}/${var.athena.table}"] :
    "arn:${local.partition}:glue:${var.region}:${var.account_id}:${part}"]
    athena_data = var.athena == null ? [] : flatten([for name in sort(var.athena.buckets) : ["arn:${local.partition}:s3:::${name}", "arn:${local.partition}:s3:::${name}/*"]])
    # Secrets Manager adds six characters to the name.
    secrets   = [for name in sort(var.secrets) : "arn:${local.partition}:secretsmanager:${var.region}:${var.account_id}:secret:${var.namespace}/${var.environment}/${name}-??????"]
    log_group = ["${local.log_group_arn}:log-stream:*"]
    any       = ["*"]
  }

  conditions = {
    key = { StringEquals = { "kms:ViaService" = [for service in ["dynamodb", "secretsmanager", "sns"] : "${service}.${var.region}.amazonaws.com"] } }
  }
}

resource "aws_iam_role" "monitor" {
  name        = "${var.namespace}-${local.function}"
  description = "What policies/permissions.json declares, nothing else"
  tags        = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "monitor" {
  #checkov:skip=CKV_AWS_355:AWS has no resource type for the actions of the kind `any`; tests/terraform proves it
  #checkov:skip=CKV_AWS_290:the one write beside `*` is ProvideAnomalyFeedback, for which AWS has no resource type
  #checkov:skip=CKV_AWS_288:cost data has no resource type in AWS; reading it is the purpose of the job
  name = "declared"
  role = aws_iam_role.monitor.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for statement in local.declared : merge({
        Sid      = statement.sid
        Effect   = "Allow"
        Action   = statement.actions
        Resource = local.kinds[statement.resources]
      }, contains(keys(local.conditions), statement.resources) ? { Condition = local.conditions[statement.resources] } : {})
      if length(local.kinds[statement.resources]) > 0
    ]
  })
}
