from support.frames import *
import pytest
@pytest.mark.parametrize("n",[65536,70000,100000,131072,150000,200000,262144,300000,700000])
def test_large(session,n):
    app=session.daemon.subscribe("feed")
    session.peer.send(text("1"*n))
    try: assert len(app.read_message(1).payload)==n
    except TimeoutError as e:
        print(session.daemon.connection("feed")["ring"], session.daemon.connection("feed")["messages_in"], session.daemon.log[-500:]); 
        session.peer.send(text("x")); print(n, e, app.read_message(1).payload[:4])
