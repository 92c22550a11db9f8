"""A site with the worst of views: it puts what it is asked into SQL, and shows all that comes back."""

from __future__ import annotations

import pprint

from django.db import Error, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path

import connect

SQL = "SELECT stripe_id FROM stripe_charge WHERE connect_account_id = '%s' AND status = '%s'"


def search(request: HttpRequest) -> HttpResponse:
    """Search the charges of the account that is logged in, here by a header."""
    found = []
    with connect.account(request.headers["Account"]), connection.cursor() as cursor:
        try:
            cursor.execute(SQL % (request.headers["Account"], request.GET["status"]))
            while True:
                found.append(cursor.fetchall() if cursor.description else cursor.statusmessage)
                if not cursor.nextset():
                    break
        except Error as error:
            found.append(str(error))
    return HttpResponse(pprint.pformat(found))


@transaction.atomic
def search_in_transaction(request: HttpRequest) -> HttpResponse:
    with connect.account(request.headers["Account"]):
        connection.ensure_connection()
        return search(request)


def search_by_cursor_in_server(request: HttpRequest) -> HttpResponse:
    """Do so with a cursor in the server, which takes one statement and is asked for its rows by others."""
    account = request.headers["Account"]
    with connect.account(account), connection.chunked_cursor() as cursor:
        try:
            cursor.execute(SQL % (account, request.GET["status"]))
            found = list(cursor)
        except Error as error:
            found = [str(error)]
    return HttpResponse(pprint.pformat(found))


urlpatterns = [
    path("", search),
    path("atomic/", search_in_transaction),
    path("declared/", search_by_cursor_in_server),
]
