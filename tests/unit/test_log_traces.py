"""Realistic stack traces as loggers and runtimes write them: one record each, known by exception and own frames."""

# The traces are as they come, also where that is long.
# ruff: noqa: E501, W291

from __future__ import annotations

import json
import re

import pytest

from noonday_shared.logs.records import Folder
from noonday_shared.logs.shape import Shape
from noonday_shared.logs.signature import Kind, Signer

BEFORE = b"2026-01-01 12:00:00,001 INFO shop.web: GET /"

PYTHON = """2026-01-01 12:00:00,123 ERROR shop.web: request failed
Traceback (most recent call last):
  File "/app/shop/db.py", line 5, in get
    return rows[key]
           ~~~~^^^^^
KeyError: 'x'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/usr/lib/python3.11/site-packages/django/core/handlers/exception.py", line 55, in inner
    response = get_response(request)
               ^^^^^^^^^^^^^^^^^^^^^
  File "/app/shop/web.py", line 9, in show
    get(key)
shop.errors.NotFound: no such item: {
  "id": 5
}"""

JAVA = """2026-01-01 12:00:00.123 ERROR 1 --- [nio-8080-exec-1] o.a.c.c.C.[.[.[/].[dispatcherServlet]    : Servlet.service() threw exception
org.springframework.web.util.NestedServletException: Request processing failed; nested exception is com.shop.OrderException: no order 7
	at org.springframework.web.servlet.FrameworkServlet.processRequest(FrameworkServlet.java:1014) ~[spring-webmvc-5.3.9.jar!/:5.3.9]
	at java.base/java.lang.Thread.run(Thread.java:829) ~[na:na]
	Suppressed: java.lang.IllegalStateException: close failed
		at com.shop.Conn.close(Conn.java:9)
Caused by: com.shop.OrderException: no order 7
	at com.shop.Orders.find(Orders.java:31) ~[classes!/:na]
	at com.shop.OrderController.lambda$show$0(OrderController.java:17) ~[classes!/:na]
	... 41 common frames omitted
Caused by: java.sql.SQLException: connection closed
	at com.zaxxer.hikari.Pool.get(Pool.java:1)
	at com.shop.Db.query(Db.java:77) ~[classes!/:na]
	... 3 common frames omitted"""

TRACES: dict[str, tuple[str, str]] = {
    "python with a cause": (
        PYTHON,
        "shop.errors.NotFound in app/shop/web.py show",
    ),
    "python group": (
        """2026-01-01 12:00:00,123 ERROR asyncio: task failed
  + Exception Group Traceback (most recent call last):
  |   File "/app/shop/web.py", line 9, in show
  |     async with TaskGroup() as g:
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/app/shop/pay.py", line 3, in charge
    |     raise ValueError("x")
    | ValueError: x
    +------------------------------------""",
        "ValueError in app/shop/pay.py charge",
    ),
    "gunicorn": (
        """[2026-01-01 12:00:00 +0000] [1234] [ERROR] Error handling request /cart?id=7
Traceback (most recent call last):
  File "/srv/web/current/venv/lib/python3.11/site-packages/gunicorn/workers/sync.py", line 135, in handle
    self.handle_request(listener, req, client, addr)
  File "/srv/web/current/shop/wsgi.py", line 10, in app
    return view()
ZeroDivisionError: division by zero""",
        "ZeroDivisionError in shop/wsgi.py app",
    ),
    "java with causes": (
        JAVA,
        "java.sql.SQLException in com.shop.Db.query",
    ),
    "java uncaught": (
        """Exception in thread "main" java.lang.NullPointerException: Cannot invoke "String.length()" because "<local1>" is null
	at com.shop.Main.run(Main.java:12)
	at com.shop.Main.main(Main.java:3)""",
        "java.lang.NullPointerException in com.shop.Main.run < com.shop.Main.main",
    ),
    "node with a cause": (
        """2026-01-01T12:00:00.123Z error: request failed Error: pay failed
    at charge (/srv/web/current/src/pay.js:10:11)
    at async handler (file:///srv/web/current/src/server.mjs:40:5)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5) {
  [cause]: Error: connect ECONNREFUSED 127.0.0.1:5432
      at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1555:16) {
    errno: -111,
    code: 'ECONNREFUSED',
    port: 5432
  }
}""",
        "Error in src/pay.js charge < src/server.mjs handler",
    ),
    "node uncaught": (
        """/srv/web/current/src/cart.js:12
    throw new RangeError('bad count 5');
    ^

RangeError: bad count 5
    at total (/srv/web/current/src/cart.js:12:11)
    at Object.<anonymous> (/srv/web/current/src/server.js:5:1)
    at Module._compile (node:internal/modules/cjs/loader:1241:14)

Node.js v20.8.0""",
        "RangeError in src/cart.js total < src/server.js Object.<anonymous>",
    ),
    "php laravel": (
        r"""[2026-01-01 12:00:00] production.ERROR: Undefined array key "price" {"userId":7,"exception":"[object] (ErrorException(code: 0): Undefined array key \"price\" at /srv/web/current/app/Cart.php:31)
[stacktrace]
#0 /srv/web/current/vendor/laravel/framework/src/Illuminate/Foundation/Bootstrap/HandleExceptions.php(254): Illuminate\Foundation\Bootstrap\HandleExceptions->handleError(2, 'Undefined array ...', '/srv/web/curren...', 31)
#1 /srv/web/current/app/Cart.php(31): Illuminate\Foundation\Bootstrap\HandleExceptions->{closure}(2)
#2 /srv/web/current/app/Http/Controllers/CartController.php(12): App\Cart->total()
#3 {main}
"}""",
        "ErrorException in app/Cart.php Illuminate\\Foundation\\Bootstrap\\HandleExceptions->{closure} < Http/Controllers/CartController.php App\\Cart->total",
    ),
    "php with a previous one": (
        r"""[01-Jan-2026 12:00:00 UTC] PHP Fatal error:  Uncaught PDOException: gone away in /srv/web/current/src/Db.php:5
Stack trace:
#0 /srv/web/current/src/Db.php(5): PDO->query('SELECT 1')
#1 {main}

Next App\StoreException: cannot store in /srv/web/current/src/Store.php:9
Stack trace:
#0 /srv/web/current/src/Web.php(31): App\Store->save(Array)
#1 {main}
  thrown in /srv/web/current/src/Store.php on line 9""",
        "PDOException in src/Db.php < src/Db.php PDO->query",
    ),
    "go panic in a handler": (
        """2026/01/01 12:00:00 http: panic serving 10.0.0.1:5000: runtime error: invalid memory address or nil pointer dereference
goroutine 34 [running]:
net/http.(*conn).serve.func1()
	/usr/local/go/src/net/http/server.go:1868 +0xb9
panic({0x6a1f40?, 0x8e6e20?})
	/usr/local/go/src/runtime/panic.go:920 +0x270
main.(*Server).pay(0xc0000b8000, {0x7f1234?, 0xc000138000?}, 0xc000142000)
	/src/shop/pay.go:42 +0x1d
net/http.HandlerFunc.ServeHTTP(...)
	/usr/local/go/src/net/http/server.go:2136
created by net/http.(*Server).Serve in goroutine 1
	/usr/local/go/src/net/http/server.go:3086 +0x5cb""",
        "panic: runtime error: invalid memory address or nil pointer dereference in src/shop/pay.go main.(*Server).pay",
    ),
    "go dump of all goroutines": (
        """fatal error: all goroutines are asleep - deadlock!

goroutine 1 [chan receive]:
main.main()
	/src/shop/main.go:9 +0x2c

goroutine 5 [select, 3 minutes]:
main.worker(0x1)
	/src/shop/worker.go:20 +0x50
created by main.main in goroutine 1
	/src/shop/main.go:7 +0x25
exit status 2""",
        "panic: all goroutines are asleep - deadlock! in src/shop/main.go main.main",
    ),
    "go signal": (
        """panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x48f2a6]

goroutine 1 [running]:
main.total(...)
	/src/shop/cart.go:12
main.main()
	/src/shop/main.go:7 +0x26
exit status 2""",
        "panic: runtime error: invalid memory address or nil pointer dereference in src/shop/cart.go main.total < src/shop/main.go main.main",
    ),
    "ruby tagged by rails": (
        """E, [2026-01-01T12:00:00.123456 #1234] ERROR -- : [6fa98366-1e7f-45ca-88fb-dd946dd34d76]   
[6fa98366-1e7f-45ca-88fb-dd946dd34d76] NoMethodError (undefined method `price' for nil:NilClass):
[6fa98366-1e7f-45ca-88fb-dd946dd34d76]   
[6fa98366-1e7f-45ca-88fb-dd946dd34d76] app/models/cart.rb:12:in `total'
[6fa98366-1e7f-45ca-88fb-dd946dd34d76] app/controllers/carts_controller.rb:5:in `show'""",
        "NoMethodError in app/models/cart.rb total < app/controllers/carts_controller.rb show",
    ),
    "ruby numbered": (
        """2026-01-01 12:00:00 ERROR shop: pay.rb:12:in `charge': order 7 refused (Shop::CardRefused)
	1: from /srv/web/current/app/web.rb:31:in `block in checkout'
	2: from /usr/lib/ruby/gems/3.2.0/gems/rack-3.0/lib/rack/handler.rb:7:in `call'
	3: from bin/rails:4:in `<main>'""",
        "Shop::CardRefused in pay.rb charge < app/web.rb checkout",
    ),
    "ruby newest last": (
        """Traceback (most recent call last):
	2: from /usr/lib/ruby/gems/3.2.0/gems/rack-3.0/lib/rack/handler.rb:7:in `call'
	1: from /srv/web/current/app/web.rb:31:in `block in checkout'
/srv/web/current/app/pay.rb:12:in `charge': order 7 refused (Shop::CardRefused)""",
        "Shop::CardRefused in app/pay.rb charge < app/web.rb checkout",
    ),
    "ruby 3.4 with a cause": (
        """E, [2026-01-01T12:00:00.123456 #1234] ERROR -- : order 7 refused (Shop::CardRefused)
/srv/web/current/app/pay.rb:12:in 'Shop::Pay#charge'
/srv/web/current/app/web.rb:31:in 'block in Shop::Web#checkout'
/srv/web/current/app/db.rb:3:in 'Db.query': closed (IOError)
	from /srv/web/current/app/pay.rb:9:in 'Shop::Pay#charge'""",
        "Shop::CardRefused in app/pay.rb Shop::Pay#charge < app/web.rb Shop::Web#checkout < app/db.rb Db.query",
    ),
    "dotnet": (
        """2026-01-01 12:00:00 ERROR Shop.Web: Unhandled
System.InvalidOperationException: outer
 ---> Shop.CardRefused: order 7
   at Shop.Pay.Charge(Order order) in /src/Pay.cs:line 12
   --- End of inner exception stack trace ---
   at Shop.Web.Checkout() in /src/Web.cs:line 31
   at Microsoft.AspNetCore.Mvc.Internal.Invoker.Invoke()""",
        "Shop.CardRefused in Shop.Pay.Charge < Shop.Web.Checkout",
    ),
    "json exc_info": (
        json.dumps({"time": "x", "level": "error", "msg": "failed", "exc_info": PYTHON.partition("\n")[2]}),
        "shop.errors.NotFound in app/shop/web.py show",
    ),
    "json stack_trace": (
        json.dumps({"level": "ERROR", "message": "failed", "stack_trace": JAVA.partition("\n")[2]}),
        "java.sql.SQLException in com.shop.Db.query",
    ),
    "json err.stack": (
        json.dumps(
            {
                "level": 50,
                "time": 1767268800123,
                "msg": "failed",
                "err": {
                    "type": "TypeError",
                    "message": "x",
                    "stack": "TypeError: x\n    at total (/srv/web/current/src/cart.js:12:19)\n    at h (/srv/web/current/src/s.js:1:1)",
                },
            }
        ),
        "TypeError in src/cart.js total < src/s.js h",
    ),
    "json list of ruby": (
        json.dumps(
            {
                "level": "error",
                "message": "order refused",
                "exception": {
                    "name": "Shop::CardRefused",
                    "message": "order 7",
                    "stack_trace": [
                        "/srv/web/current/app/pay.rb:12:in `charge'",
                        "/srv/web/current/app/web.rb:31:in `checkout'",
                    ],
                },
            }
        ),
        "Shop::CardRefused in app/pay.rb charge < app/web.rb checkout",
    ),
    "json of zap": (
        json.dumps(
            {
                "level": "error",
                "ts": 1.2,
                "caller": "shop/pay.go:12",
                "msg": "failed",
                "stacktrace": "main.(*Server).pay\n\t/src/shop/pay.go:12\nmain.handle\n\t/src/shop/main.go:40\nnet/http.HandlerFunc.ServeHTTP\n\t/usr/local/go/src/net/http/server.go:2136",
            }
        ),
        "failed in src/shop/pay.go main.(*Server).pay < src/shop/main.go main.handle",
    ),
    "json of monolog": (
        json.dumps(
            {
                "message": "failed",
                "context": {
                    "exception": {
                        "class": "App\\CardRefused",
                        "message": "order 7",
                        "code": 0,
                        "file": "/srv/web/current/src/Pay.php:12",
                        "trace": ["/srv/web/current/src/Web.php:31", "/srv/web/current/vendor/slim/App.php:99"],
                    }
                },
                "level": 400,
                "level_name": "ERROR",
                "channel": "app",
                "datetime": "x",
            }
        ),
        "App\\CardRefused in src/Pay.php < src/Web.php",
    ),
    "json exception": (
        json.dumps({"event": "failed", "level": "error", "exception": PYTHON.partition("\n")[2]}),
        "shop.errors.NotFound in app/shop/web.py show",
    ),
    "logfmt": (
        r'''time=2026-01-01T12:00:00Z level=error msg="failed" stack="goroutine 34 [running]:\nmain.pay(0x1)\n\t/src/shop/pay.go:42 +0x1d\n"''',
        "failed in src/shop/pay.go main.pay",
    ),
}
# Nothing but a pause tells a trace without a header from the record before it.
HEADLESS = {"java uncaught", "node uncaught", "go dump of all goroutines", "go signal", "ruby newest last"}


def fold(text: str) -> list[bytes]:
    folder = Folder(Shape())
    return folder.feed(text.encode().split(b"\n"), 0.0) + folder.end()


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_is_one_record_known_by_its_exception_and_own_frames(name: str) -> None:
    text, expected = TRACES[name]
    (record,) = fold(text)
    found = Signer().sign(record)
    assert (found.kind, found.text) == (Kind.TRACE, expected)
    assert found.level in ("ERROR", "FATAL")


@pytest.mark.parametrize("name", sorted(TRACES.keys() - HEADLESS))
def test_a_trace_among_other_records_is_still_one(name: str) -> None:
    text, _ = TRACES[name]
    around = BEFORE.decode()
    records = fold("\n".join([around, around, around, text, around]))
    assert [record for record in records if record != BEFORE] == [text.encode()]
    assert len(records) == 5


@pytest.mark.parametrize("name", TRACES)
def test_moved_lines_and_other_values_make_no_other_trace(name: str) -> None:
    text, _ = TRACES[name]
    moved = re.sub(r"(?<=[:(])\d{1,4}(?=[:)\s\"])|(?<=line )\d+|0x[0-9a-f]+", lambda found: f"{found[0]}7", text)
    moved = moved.replace("order 7", "order 912")
    assert moved != text
    signer = Signer()
    assert signer.sign(moved.encode()).key == signer.sign(text.encode()).key


def test_another_frame_of_the_app_is_another_trace() -> None:
    signer = Signer()
    other = JAVA.replace("com.shop.Db.query", "com.shop.Db.count")
    assert signer.sign(other.encode()).key != signer.sign(JAVA.encode()).key
