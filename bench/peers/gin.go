// Gin's program in the benchmarks (Debian: golang-github-gin-gonic-gin-dev), on one CPU, without its logger.
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build gin.go; GOMAXPROCS=1 ./gin PORT
package main

import (
	"log"
	"os"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
)

func main() {
	gin.SetMode(gin.ReleaseMode)
	passed := 0
	hello := func(c *gin.Context) { c.String(200, "Hello, World!") }

	app := gin.New()
	app.GET("/", hello)
	app.GET("/json", func(c *gin.Context) { c.JSON(200, gin.H{"message": "Hello, World!"}) })
	app.GET("/user/:id", func(c *gin.Context) { c.String(200, "%s", c.Param("id")) })
	app.POST("/echo", func(c *gin.Context) {
		body, err := c.GetRawData()
		if err == nil {
			c.Header("Content-Length", strconv.Itoa(len(body)))
			c.Data(200, "text/plain; charset=utf-8", body)
		}
	})
	app.GET("/files/mebibyte", func(c *gin.Context) {
		c.Header("Content-Type", "application/octet-stream")
		c.File(os.Getenv("MEBIBYTE"))
	})
	for i := 1; i <= 100; i++ {
		app.GET("/route/"+strconv.Itoa(i), hello)
	}
	plain, onion := app.Group("/plain"), app.Group("/onion")
	for i := 0; i < 10; i++ {
		plain.Use(func(c *gin.Context) { passed++ })
		onion.Use(func(c *gin.Context) {
			c.Next()
			passed++
		})
	}
	plain.GET("/hello", hello)
	onion.GET("/hello", hello)
	app.GET("/sleep/:ms", func(c *gin.Context) {
		ms, _ := strconv.Atoi(c.Param("ms"))
		time.Sleep(time.Duration(ms) * time.Millisecond)
		c.String(200, "awake")
	})
	log.Fatal(app.Run("127.0.0.1:" + os.Args[1]))
}
