"""One region of the function: its image, an alias with weighted versions, the front, alarms and a log."""

from dataclasses import dataclass

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
from constructs import Construct, Node

REPOSITORY = "inkserve-function"
MEMORY_MB = 1769  # one whole CPU; the process itself takes a fifth of it
TIMEOUT = cdk.Duration.seconds(30)
FRONTS = ("url", "api")


class OptionError(Exception):
    """A setting is wrong; the message names it."""


@dataclass(frozen=True)
class Options:
    """Settings from CDK's context.

    Attributes:
        account: number of the AWS account; None for the one of the caller.
        regions: a stack each.
        front: `url`, a function URL, or `api`, an HTTP API.
        image_tag: of the function's image in each region's registry.
        other_version: number of an earlier version that gets a part of the requests, or "".
        other_weight: that part, in [0, 1].
        provisioned: environments that are kept warm.
        domain: name that leads to the region with the least latency, or "".
        zone_id: Route 53's number of the domain's zone.
    """

    account: str | None
    regions: tuple[str, ...]
    front: str
    image_tag: str
    other_version: str
    other_weight: float
    provisioned: int
    domain: str
    zone_id: str


def read_options(node: Node) -> Options:
    """Read the settings.

    Raises:
        OptionError: one is wrong.
    """

    def text(name: str, usual: str = "") -> str:
        found = node.try_get_context(name)
        return usual if found is None else str(found)

    options = Options(
        account=text("account") or None,
        regions=tuple(text("regions").replace(",", " ").split()),
        front=text("front", FRONTS[0]),
        image_tag=text("image_tag"),
        other_version=text("other_version"),
        other_weight=float(text("other_weight", "0")),
        provisioned=int(text("provisioned", "0")),
        domain=text("domain"),
        zone_id=text("zone_id"),
    )
    if options.front not in FRONTS:
        raise OptionError(f"front is {options.front!r}; wanted one of {', '.join(FRONTS)}")
    if not options.regions:
        raise OptionError("regions is empty; wanted some, such as eu-central-1")
    if not 0 <= options.other_weight < 1 or bool(options.other_version) != bool(options.other_weight):
        raise OptionError(f"other_weight is {options.other_weight}; wanted over 0 and under 1 with other_version, else 0")
    if options.provisioned and options.other_version:
        raise OptionError("provisioned and other_version are both set; CloudFormation refuses warm environments with weights")
    if options.domain and (options.front != "api" or not options.zone_id):
        raise OptionError(f"domain is {options.domain!r}, which needs front=api and a zone_id")
    return options


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
