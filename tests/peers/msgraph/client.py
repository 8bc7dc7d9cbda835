"""Microsoft's own clients (azure-identity, msgraph-sdk) talk to the model tenant and say what they
understood, as one JSON document.

    venv/bin/python client.py < settings.json

The settings: origin, ca, tenant, client, secret, certificate (PEM with key), hire and manager (UPNs),
employee (an employee id), sender (UPN, or null when mail is not tried). The authority is a custom one,
so instance discovery is off, as Microsoft documents it for private clouds.
"""

import asyncio
import json
import sys

import httpx
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CertificateCredential, ClientSecretCredential
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.body_type import BodyType
from msgraph.generated.models.email_address import EmailAddress
from msgraph.generated.models.item_body import ItemBody
from msgraph.generated.models.message import Message
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.recipient import Recipient
from msgraph.generated.models.temporary_access_pass_authentication_method import (
    TemporaryAccessPassAuthenticationMethod,
)
from msgraph.generated.users.item.send_mail.send_mail_post_request_body import SendMailPostRequestBody
from msgraph.generated.users.item.user_item_request_builder import UserItemRequestBuilder
from msgraph.generated.users.users_request_builder import UsersRequestBuilder
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph_core import GraphClientFactory

IDENTITY = {"disable_instance_discovery": True, "logging_enable": False}


def client(settings, credential):
    auth = AzureIdentityAuthenticationProvider(
        credential, scopes=[settings["origin"] + "/.default"], allowed_hosts=["localhost"]
    )
    http = httpx.AsyncClient(verify=settings["ca"], trust_env=False, timeout=20)
    http = GraphClientFactory.create_with_default_middleware(client=http)
    adapter = GraphRequestAdapter(auth, client=http)
    adapter.base_url = settings["origin"] + "/v1.0"
    return GraphServiceClient(request_adapter=adapter)


async def refusal(call):
    try:
        await call
    except ODataError as error:
        return [error.response_status_code, error.error.code, error.error.message]
    return "taken"


async def people(graph, settings):
    user = UserItemRequestBuilder.UserItemRequestBuilderGetQueryParameters(
        select=["id", "userPrincipalName", "displayName", "accountEnabled", "userType", "employeeId"]
    )
    by_upn = await graph.users.by_user_id(settings["hire"]).get(RequestConfiguration(query_parameters=user))
    by_id = await graph.users.by_user_id(by_upn.id).get()
    query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(
        filter=f"employeeId eq '{settings['employee']}'", select=["id", "employeeId"]
    )
    found = await graph.users.get(RequestConfiguration(query_parameters=query))
    manager = await graph.users.by_user_id(by_upn.id).manager.get()
    return by_upn.id, {
        "by_upn": [by_upn.user_principal_name, by_upn.account_enabled, by_upn.user_type, by_upn.employee_id],
        "by_id": by_id.display_name,
        "found": [user.employee_id for user in found.value],
        "manager": [type(manager).__name__, manager.user_principal_name],
        "no_manager": await refusal(graph.users.by_user_id(settings["manager"]).manager.get()),
        "nobody": await refusal(graph.users.by_user_id("nobody@contoso.example").get()),
    }


async def policy(graph):
    methods = graph.policies.authentication_methods_policy.authentication_method_configurations
    found = await methods.by_authentication_method_configuration_id("temporaryAccessPass").get()
    return [
        type(found).__name__, found.state.value, found.minimum_lifetime_in_minutes,
        found.maximum_lifetime_in_minutes, found.is_usable_once, [type(one).__name__ for one in found.include_targets],
    ]


async def passes(graph, user):
    methods = graph.users.by_user_id(user).authentication.temporary_access_pass_methods
    before = await methods.get()
    asked = TemporaryAccessPassAuthenticationMethod(lifetime_in_minutes=60, is_usable_once=True)
    made = await methods.post(asked)
    listed = await methods.get()
    one = await methods.by_temporary_access_pass_authentication_method_id(made.id).get()
    too_short = TemporaryAccessPassAuthenticationMethod(lifetime_in_minutes=5, is_usable_once=True)
    refused = await refusal(methods.post(too_short))
    await methods.by_temporary_access_pass_authentication_method_id(made.id).delete()
    after = await methods.get()
    return {
        "before": len(before.value),
        "made": [made.lifetime_in_minutes, made.is_usable_once, made.is_usable, made.method_usability_reason],
        "code": len(made.temporary_access_pass),
        "start": (made.start_date_time - made.created_date_time).total_seconds() < 5,
        "listed": [entry.id == made.id for entry in listed.value],
        "one": [one.id == made.id, one.temporary_access_pass],
        "refused": refused,
        "after": len(after.value),
    }


async def letter(graph, settings):
    message = Message(
        subject="hello",
        body=ItemBody(content_type=BodyType.Text, content="a letter by Microsoft's own client"),
        to_recipients=[Recipient(email_address=EmailAddress(address=settings["manager"]))],
    )
    body = SendMailPostRequestBody(message=message, save_to_sent_items=False)
    await graph.users.by_user_id(settings["sender"]).send_mail.post(body)
    return "sent"


async def main():
    settings = json.load(sys.stdin)
    options = {"authority": settings["origin"], "connection_verify": settings["ca"], **IDENTITY}
    app = (settings["tenant"], settings["client"])
    said = {}
    for kind, credential in [
        ("secret", ClientSecretCredential(*app, settings["secret"], **options)),
        ("certificate", CertificateCredential(*app, settings["certificate"], **options)),
    ]:
        graph = client(settings, credential)
        user, found = await people(graph, settings)
        said[kind] = {"people": found, "policy": await policy(graph), "passes": await passes(graph, user)}
    try:
        ClientSecretCredential(*app, "wrong", **options).get_token(settings["origin"] + "/.default")
        said["wrong secret"] = "taken"
    except ClientAuthenticationError as error:
        said["wrong secret"] = error.message.splitlines()[0]
    if settings["sender"]:
        said["mail"] = await letter(graph, settings)
    json.dump(said, sys.stdout, indent=1, sort_keys=True)


asyncio.run(main())
