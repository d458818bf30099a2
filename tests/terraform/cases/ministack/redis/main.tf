module "key" {
  source = "../../modules/key"

  namespace   = "trial"
  environment = "test"
  account_id  = "000000000000"
  region      = "us-east-1"
}

resource "aws_sns_topic" "alerts" {
  name = "trial-cost-alerts"
}

resource "aws_vpc" "this" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "this" {
  count = 2

  vpc_id            = aws_vpc.this.id
  cidr_block        = "10.0.${count.index}.0/24"
  availability_zone = "us-east-1${count.index == 0 ? "a" : "b"}"
}

resource "aws_security_group" "endpoints" {
  name   = "endpoints"
  vpc_id = aws_vpc.this.id
}

module "security" {
  source = "../../modules/security"

  namespace   = "trial"
  environment = "test"
  account_id  = "000000000000"
  region      = "us-east-1"
  kms_key_arn = module.key.arn
  topic_arn   = aws_sns_topic.alerts.arn

  redis = {
    vpc_id                     = aws_vpc.this.id
    subnet_ids                 = aws_subnet.this[*].id
    rotation_zip               = "../../rotation.zip"
    endpoint_security_group_id = aws_security_group.endpoints.id
  }
}
