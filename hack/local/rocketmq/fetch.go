// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/orderflow-dev/orderflow/hack/local/lock"
)

// Version is the RocketMQ release that Fetch obtains: the one pom.xml names.
const Version = "5.5.0"

//go:embed pom.xml
var pom []byte

// progressEvery is how often a long wait says that it is still going on.
const progressEvery = 10 * time.Second

// Distribution is a RocketMQ on disk: a folder of jars and the Java that runs them.
type Distribution struct {
	// Root is the folder that belongs to this version in the user's cache. What is derived from the jars, such as
	// compiled witnesses, may be kept there.
	Root string
	// Java is the path of the java command.
	Java string
	// Classpath lists every jar, in the form of java's -cp.
	Classpath string
}

// Fetch returns the distribution in the user's cache, and first downloads it with Maven if it is not there. Concurrent
// calls, also from other processes, wait for the one that downloads. It fails with a sentence that says what to install
// when java or mvn is missing. A nil log hears nothing.
func Fetch(ctx context.Context, log *slog.Logger) (*Distribution, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	java, err := Tool("java")
	if err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("find the user's cache folder: %w", err)
	}
	root := filepath.Join(cache, "orderflow", "rocketmq-"+Version)
	lib := filepath.Join(root, "lib")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, fmt.Errorf("create RocketMQ's cache folder: %w", err)
	}
	if !exists(lib) {
		if err := download(ctx, root, lib, log); err != nil {
			return nil, err
		}
	}
	jars, err := filepath.Glob(filepath.Join(lib, "*.jar"))
	if err != nil {
		return nil, fmt.Errorf("list RocketMQ's jars: %w", err)
	}
	if len(jars) == 0 {
		return nil, fmt.Errorf("%s holds no jars: remove it so that RocketMQ is downloaded again", lib)
	}
	sort.Strings(jars)
	return &Distribution{Root: root, Java: java, Classpath: strings.Join(jars, string(os.PathListSeparator))}, nil
}

// download fills lib while it holds the lock of root. The folder appears complete or not at all.
func download(ctx context.Context, root, lib string, log *slog.Logger) error {
	held, err := lock.Acquire(ctx, filepath.Join(root, "lock"), func() {
		log.Info("waiting for another process that downloads RocketMQ", "version", Version)
	})
	if err != nil {
		return err
	}
	defer held.Close()
	if exists(lib) { // the holder before us has done it
		return nil
	}
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return errors.New("mvn is not on the PATH: install Apache Maven, which downloads RocketMQ's jars")
	}
	staging, err := os.MkdirTemp(root, "download-")
	if err != nil {
		return fmt.Errorf("create the download folder: %w", err)
	}
	defer os.RemoveAll(staging)
	if err := os.WriteFile(filepath.Join(staging, "pom.xml"), pom, 0o644); err != nil {
		return fmt.Errorf("write RocketMQ's pom: %w", err)
	}
	jars := filepath.Join(staging, "lib")
	began := time.Now()
	log.Info("downloading RocketMQ with Maven, about 100 MB", "version", Version)
	stop := every(progressEvery, func() {
		done, _ := filepath.Glob(filepath.Join(jars, "*.jar")) // the pattern is constant and valid
		log.Info("still downloading RocketMQ", "jars", len(done), "elapsed", time.Since(began).Round(time.Second))
	})
	cmd := exec.CommandContext(ctx, mvn, "--quiet", "--batch-mode", "--strict-checksums",
		"dependency:copy-dependencies", "-DoutputDirectory="+jars)
	cmd.Dir = staging
	out, err := cmd.CombinedOutput()
	stop()
	if err != nil {
		return fmt.Errorf("download RocketMQ %s with Maven: %w\n%s", Version, err, lastLines(out, 20))
	}
	if err := os.Rename(jars, lib); err != nil {
		return fmt.Errorf("publish RocketMQ's jars: %w", err)
	}
	log.Info("RocketMQ is downloaded", "version", Version, "took", time.Since(began).Round(time.Second))
	return nil
}

// Tool finds a command of the JDK, such as javac: that of JAVA_HOME if set, else the one on the PATH. It fails with a
// sentence that says what to install.
func Tool(name string) (string, error) {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		if path, err := exec.LookPath(filepath.Join(home, "bin", name)); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is neither in JAVA_HOME nor on the PATH: install a JDK, version 11 or newer", name)
	}
	return path, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// every calls f each period until the function it returns is called; that one waits for a call under way.
func every(period time.Duration, f func()) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(period)
		defer ticker.Stop()
		for {
			select {
			case <-quit:
				return
			case <-ticker.C:
				f()
			}
		}
	}()
	return func() { close(quit); <-done }
}

// lastLines returns the last n lines of a program's output, without the blank ones at its end.
func lastLines(out []byte, n int) []byte {
	lines := bytes.Split(bytes.TrimRight(out, "\n\r\t "), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-n):], []byte("\n"))
}
