"""`cdk synth`: the function in one or several regions. docs/function.md has the settings, all of them CDK's context."""

import aws_cdk as cdk
from inkserve_options import read_options
from inkserve_stack import FunctionStack

app = cdk.App()
options = read_options(app.node)
for region in options.regions:
    FunctionStack(app, f"inkserve-{region}", options, env=cdk.Environment(account=options.account, region=region))
app.synth()
