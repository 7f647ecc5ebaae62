"""One region of the function: its image, an alias with weighted versions, the front, alarms and a log."""

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as api
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_certificatemanager as certificates
from aws_cdk import aws_cloudwatch as watch
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as functions
from aws_cdk import aws_logs as logs
from aws_cdk import aws_route53 as route53
from constructs import Construct
from inkserve_options import Options

REPOSITORY = "inkserve-function"
MEMORY_MB = 1769  # one whole CPU; the process itself takes a fifth of it
TIMEOUT = cdk.Duration.seconds(30)


class FunctionStack(cdk.Stack):
    """The function in one region."""

    def __init__(self, scope: Construct, name: str, options: Options, **settings: object) -> None:
        super().__init__(scope, name, **settings)
        self.options = options
        self.function = self._function()
        self.alias = self._alias()
        if options.front == "api":
            self._api()
        else:
            # Signed requests only: docs/function.md says why not to open it
            url = self.alias.add_function_url(auth_type=functions.FunctionUrlAuthType.AWS_IAM)
            cdk.CfnOutput(self, "Url", value=url.url)
        self._alarms()

    def _function(self) -> functions.Function:
        log = logs.LogGroup(
            self, "Log", retention=logs.RetentionDays.ONE_MONTH, removal_policy=cdk.RemovalPolicy.DESTROY
        )
        # CDK's own role may write to any log
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log.grant_write(role)
        images = ecr.Repository.from_repository_name(self, "Images", REPOSITORY)
        return functions.DockerImageFunction(
            self,
            "Function",
            code=functions.DockerImageCode.from_ecr(images, tag_or_digest=self.options.image_tag),
            role=role.without_policy_updates(),
            log_group=log,
            memory_size=MEMORY_MB,
            timeout=TIMEOUT,
            description=f"Inkserve {self.options.image_tag}",  # another image makes another version
        )

    def _alias(self) -> functions.Alias:
        others = []
        if self.options.other_version:
            arn = f"{self.function.function_arn}:{self.options.other_version}"
            other = functions.Version.from_version_arn(self, "Other", arn)
            others = [functions.VersionWeight(version=other, weight=self.options.other_weight)]
        return functions.Alias(
            self,
            "Live",
            alias_name="live",
            version=self.function.current_version,
            additional_versions=others,
            provisioned_concurrent_executions=self.options.provisioned or None,
        )

    def _api(self) -> None:
        front = api.HttpApi(
            self,
            "Api",
            default_integration=integrations.HttpLambdaIntegration("Integration", self.alias),
            default_authorizer=authorizers.HttpIamAuthorizer(),
            disable_execute_api_endpoint=bool(self.options.domain),
            create_default_stage=False,
        )
        stage = front.add_stage(
            "Stage", auto_deploy=True, throttle=api.ThrottleSettings(rate_limit=100, burst_limit=200)
        )
        if self.options.domain:
            self._domain(front, stage)
        else:
            cdk.CfnOutput(self, "Url", value=stage.url)

    def _domain(self, front: api.HttpApi, stage: api.HttpStage) -> None:
        """One name for all regions: Route 53 answers with the one that has the least latency."""
        zone = route53.HostedZone.from_hosted_zone_id(self, "Zone", self.options.zone_id)
        certificate = certificates.Certificate(
            self,
            "Certificate",
            domain_name=self.options.domain,
            validation=certificates.CertificateValidation.from_dns(zone),
        )
        name = api.DomainName(self, "Domain", domain_name=self.options.domain, certificate=certificate)
        api.ApiMapping(self, "Mapping", api=front, domain_name=name, stage=stage)
        route53.CfnRecordSet(
            self,
            "Nearest",
            name=self.options.domain,
            type="A",
            hosted_zone_id=self.options.zone_id,
            region=self.region,
            set_identifier=self.region,
            alias_target=route53.CfnRecordSet.AliasTargetProperty(
                dns_name=name.regional_domain_name,
                hosted_zone_id=name.regional_hosted_zone_id,
                evaluate_target_health=True,
            ),
        )
        cdk.CfnOutput(self, "Url", value=f"https://{self.options.domain}/")

    def _alarms(self) -> None:
        minute = cdk.Duration.minutes(1)
        watched = {
            "Errors": (self.alias.metric_errors(period=minute), 0),
            "Throttles": (self.alias.metric_throttles(period=minute), 0),
            "Slow": (self.alias.metric_duration(period=minute, statistic="p99"), 2_000),  # ms
        }
        for name, (metric, threshold) in watched.items():
            metric.create_alarm(
                self,
                name,
                threshold=threshold,
                evaluation_periods=5,
                datapoints_to_alarm=3,
                comparison_operator=watch.ComparisonOperator.GREATER_THAN_THRESHOLD,
                treat_missing_data=watch.TreatMissingData.NOT_BREACHING,
            )
