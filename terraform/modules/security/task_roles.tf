# Two roles for each ECS service: what starts the task, and what the task may do.

locals {
  task_assume = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = var.account_id }
        ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:ecs:${var.region}:${var.account_id}:*" }
      }
    }]
  })
}

resource "aws_iam_role" "execution" {
  for_each = var.task_roles

  name               = "${var.namespace}-${each.key}-execution"
  description        = "Starts tasks of ${each.key}: image, log, secrets"
  assume_role_policy = local.task_assume
  tags               = var.tags
}

resource "aws_iam_role_policy" "execution" {
  #checkov:skip=CKV_AWS_355:ecr:GetAuthorizationToken has no resource type in AWS; tests/terraform proves it
  for_each = var.task_roles

  name = "start"
  role = aws_iam_role.execution[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for statement in [
        {
          Sid      = "Logs"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = [for arn in sort(each.value.log_group_arns) : "${trimsuffix(arn, ":*")}:log-stream:*"]
        },
        {
          Sid      = "SignIn"
          Effect   = "Allow"
          Action   = ["ecr:GetAuthorizationToken"]
          Resource = length(each.value.repository_arns) == 0 ? [] : ["*"]
        },
        {
          Sid      = "Images"
          Effect   = "Allow"
          Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
          Resource = sort(each.value.repository_arns)
        },
        {
          Sid      = "Secrets"
          Effect   = "Allow"
          Action   = ["secretsmanager:GetSecretValue"]
          Resource = sort(distinct(values(each.value.secrets)))
        },
        {
          Sid       = "SecretsKey"
          Effect    = "Allow"
          Action    = ["kms:Decrypt"]
          Resource  = length(each.value.secrets) == 0 ? [] : [var.kms_key_arn]
          Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${var.region}.amazonaws.com" } }
        },
      ] : statement if length(statement.Resource) > 0
    ]
  })
}

resource "aws_iam_role" "task" {
  for_each = var.task_roles

  name               = "${var.namespace}-${each.key}-task"
  description        = "What ${each.key} itself may do"
  assume_role_policy = local.task_assume
  tags               = var.tags
}

resource "aws_iam_role_policy" "task" {
  for_each = { for name, role in var.task_roles : name => role if length(role.actions) > 0 }

  name = "task"
  role = aws_iam_role.task[each.key].id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for arn, actions in each.value.actions : { Effect = "Allow", Action = sort(actions), Resource = [arn] }]
  })
}
