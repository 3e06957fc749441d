// Go's net/http in the benchmarks (Debian: golang-go), on one CPU. Its router has no parameters, so what follows
// the prefix is cut off by hand. Middleware is a handler around a handler.
//
//	GO111MODULE=off go build server.go; GOMAXPROCS=1 ./server PORT
package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

var passed int

func text(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, body)
}

func hello(w http.ResponseWriter, _ *http.Request) { text(w, "Hello, World!") }

func sayJSON(w http.ResponseWriter, _ *http.Request) {
	body, _ := json.Marshal(map[string]string{"message": "Hello, World!"})
	w.Header().Set("Content-Type", "application/json")
	w.Write(body)
}

func user(w http.ResponseWriter, r *http.Request) { text(w, strings.TrimPrefix(r.URL.Path, "/user/")) }

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

func sleep(w http.ResponseWriter, r *http.Request) {
	ms, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/sleep/"))
	time.Sleep(time.Duration(ms) * time.Millisecond)
	text(w, "awake")
}

func around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		passed++
	})
}

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("/", hello)
	mux.HandleFunc("/json", sayJSON)
	mux.HandleFunc("/user/", user)
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("/files/mebibyte", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeFile(w, r, os.Getenv("MEBIBYTE"))
	})
	for i := 1; i <= 100; i++ {
		mux.HandleFunc("/route/"+strconv.Itoa(i), hello)
	}
	var onion http.Handler = http.HandlerFunc(hello)
	for i := 0; i < 10; i++ {
		onion = around(onion)
	}
	mux.Handle("/onion/hello", onion)
	mux.HandleFunc("/sleep/", sleep)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], mux))
}
