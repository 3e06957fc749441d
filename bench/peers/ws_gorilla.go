// Gorilla's WebSockets for Go in the benchmarks (Debian: golang-github-gorilla-websocket-dev), on one CPU: /echo,
// /topic and /publish as in ws_server.cpp. What is published is sent to each in a loop, as one prepared message.
//
//	GO111MODULE=off go build ws_gorilla.go; GOMAXPROCS=1 ./ws_gorilla PORT
package main

import (
	"io"
	"log"
	"net/http"
	"os"
	"sync"

	"github.com/gorilla/websocket"
)

var (
	upgrader    websocket.Upgrader
	mutex       sync.Mutex
	subscribers = map[*websocket.Conn]bool{}
)

func echo(socket *websocket.Conn) {
	for {
		kind, data, err := socket.ReadMessage()
		if err != nil || socket.WriteMessage(kind, data) != nil {
			return
		}
	}
}

func topic(socket *websocket.Conn) {
	mutex.Lock()
	subscribers[socket] = true
	mutex.Unlock()
	socket.ReadMessage()
	mutex.Lock()
	delete(subscribers, socket)
	mutex.Unlock()
}

func publish(socket *websocket.Conn) {
	for {
		kind, data, err := socket.ReadMessage()
		if err != nil {
			return
		}
		message, _ := websocket.NewPreparedMessage(kind, data)
		mutex.Lock()
		for each := range subscribers {
			each.WritePreparedMessage(message)
		}
		mutex.Unlock()
	}
}

func serve(path string, with func(*websocket.Conn)) {
	http.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		socket, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer socket.Close()
		with(socket)
	})
}

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "Hello, World!") })
	serve("/echo", echo)
	serve("/topic", topic)
	serve("/publish", publish)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
