# The role of the function. Its network interfaces are the only thing for which AWS has no resource.

resource "aws_iam_role" "limiter" {
  name        = "${var.namespace}-${local.function}"
  description = "Reads its queue, keeps its limits in Redis"
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

resource "aws_iam_role_policy" "limiter" {
  #checkov:skip=CKV_AWS_355:DescribeNetworkInterfaces and DescribeSubnets have no resource type in AWS; tests/terraform proves it
  name = "limiter"
  role = aws_iam_role.limiter.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid      = "Queue"
        Effect   = "Allow"
        Action   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
        Resource = [var.queue_arn]
      },
      {
        Sid      = "Decrypt"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = [var.kms_key_arn]
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${local.log_group_arn}:log-stream:*"]
      },
      {
        # What Lambda needs to put a function into a VPC; only into these subnets.
        Sid    = "Interfaces"
        Effect = "Allow"
        Action = ["ec2:CreateNetworkInterface"]
        Resource = concat(
          ["arn:${local.partition}:ec2:${var.region}:${var.account_id}:network-interface/*", "arn:${local.partition}:ec2:${var.region}:${var.account_id}:security-group/*"],
          [for id in sort(var.subnet_ids) : "arn:${local.partition}:ec2:${var.region}:${var.account_id}:subnet/${id}"],
        )
      },
      {
        Sid      = "OwnInterfaces"
        Effect   = "Allow"
        Action   = ["ec2:AssignPrivateIpAddresses", "ec2:DeleteNetworkInterface", "ec2:UnassignPrivateIpAddresses"]
        Resource = ["arn:${local.partition}:ec2:${var.region}:${var.account_id}:network-interface/*"]
      },
      {
        Sid      = "LookAtInterfaces"
        Effect   = "Allow"
        Action   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
        Resource = ["*"]
      },
      ], [
      for name in var.redis.secret_name == null ? [] : [var.redis.secret_name] : {
        # Secrets Manager adds six characters to the name.
        Sid      = "Token"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = ["arn:${local.partition}:secretsmanager:${var.region}:${var.account_id}:secret:${name}-??????"]
      }
    ])
  })
}
