// A local app made with Go, its net/http and gorilla/websocket: every_way SOCKET NAME plain|v1|ndjson|post, see test_clients.py.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"log"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/gorilla/websocket"
)

var socket, target string

func say(words map[string]interface{}) {
	if err := json.NewEncoder(os.Stdout).Encode(words); err != nil {
		log.Fatal(err)
	}
}

func dialSocket(ctx context.Context, _, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", socket)
}

func dial(protocols ...string) *websocket.Conn {
	dialer := websocket.Dialer{NetDialContext: dialSocket, Subprotocols: protocols}
	connection, _, err := dialer.Dial("ws://localhost"+target, nil)
	if err != nil {
		log.Fatal(err)
	}
	return connection
}

func read(connection *websocket.Conn) string {
	_, payload, err := connection.ReadMessage()
	if err != nil {
		log.Fatal(err)
	}
	return string(payload)
}

func send(connection *websocket.Conn, text string) {
	if err := connection.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		log.Fatal(err)
	}
}

func leave(connection *websocket.Conn) {
	connection.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
	connection.Close()
}

func decode(text string) map[string]interface{} {
	found := map[string]interface{}{}
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		log.Fatal(err)
	}
	return found
}

func plain() {
	connection := dial()
	send(connection, "hello")
	say(map[string]interface{}{"message": read(connection)})
	leave(connection)
}

func v1() {
	connection := dial("wskeep.v1")
	say(map[string]interface{}{"event": decode(read(connection))["event"]})
	send(connection, "id1\nhello")
	for outstanding := 2; outstanding > 0; outstanding-- {
		received := read(connection)
		if strings.HasPrefix(received, "{") {
			say(map[string]interface{}{"sent": decode(received)["id"]})
		} else {
			say(map[string]interface{}{"message": strings.SplitN(received, "\n", 2)[1]})
		}
	}
	leave(connection)
}

func client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: dialSocket}}
}

func ndjson() {
	response, err := client().Get("http://localhost" + target + "?from=oldest&follow=true&limit=2")
	if err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if found := decode(lines.Text()); found["seq"] != nil {
			say(map[string]interface{}{"message": found["data"]})
		}
	}
}

func post() {
	response, err := client().Post("http://localhost"+target, "text/plain", strings.NewReader("hello"))
	if err != nil {
		log.Fatal(err)
	}
	answer := map[string]interface{}{}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		log.Fatal(err)
	}
	say(map[string]interface{}{"outcome": answer["outcome"]})
}

func main() {
	socket, target = os.Args[1], "/v1/connections/"+os.Args[2]+"/messages"
	map[string]func(){"plain": plain, "v1": v1, "ndjson": ndjson, "post": post}[os.Args[3]]()
}
