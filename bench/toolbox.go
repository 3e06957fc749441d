// The goroutines that toolbox.cpp is compared with: the same numbers of the same things, on one processor as there.
package main

import (
	"fmt"
	"runtime"
	"time"
)

func bytesPerTask() {
	const count = 100000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := 0; i < count; i++ {
		go func() { time.Sleep(1000 * time.Hour) }()
	}
	time.Sleep(100 * time.Millisecond)
	runtime.ReadMemStats(&after)
	grown := after.HeapInuse + after.StackInuse - before.HeapInuse - before.StackInuse
	fmt.Printf("bytes per waiting task: %d\n", grown/count)
}

func tasksPerSecond() {
	const batches, batch = 1000, 1000
	sum := 0
	start := time.Now()
	for i := 0; i < batches; i++ {
		results := make([]chan int, batch)
		for j := 0; j < batch; j++ {
			result := make(chan int, 1)
			results[j] = result
			value := j
			go func() { result <- value }()
		}
		for _, result := range results {
			sum += <-result
		}
	}
	fmt.Printf("tasks per second: %.0f\n", batches*batch/time.Since(start).Seconds())
	if sum != 499500*batches {
		fmt.Println("wrong")
	}
}

func handoffsPerSecond(capacity int) {
	const count = 3000000
	channel := make(chan int, capacity)
	start := time.Now()
	go func() {
		for i := 0; i < count; i++ {
			channel <- i
		}
		close(channel)
	}()
	received := 0
	for range channel {
		received++
	}
	fmt.Printf("hand-offs per second, capacity %d: %.0f\n", capacity, float64(received)/time.Since(start).Seconds())
}

func main() {
	runtime.GOMAXPROCS(1)
	bytesPerTask()
	tasksPerSecond()
	for _, capacity := range []int{1, 16, 256} {
		handoffsPerSecond(capacity)
	}
}
