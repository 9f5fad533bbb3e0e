// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// lines counts log records by message.
type lines struct {
	slog.Handler
	mu   sync.Mutex
	seen map[string]int
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[r.Message]++
	return nil
}

// emptyCache gives the test a cache folder of its own and returns the folder of this version in it.
func emptyCache(t *testing.T) (root string) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", os.Getenv("HOME")) // Maven's own cache stays in use
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(cache, "orderflow", "rocketmq-"+Version)
}

func TestConcurrentFetchersDownloadOnce(t *testing.T) {
	root := emptyCache(t)
	log := &lines{seen: map[string]int{}}
	var fetchers sync.WaitGroup
	for range 3 {
		fetchers.Go(func() {
			d, err := Fetch(t.Context(), slog.New(log))
			if err != nil {
				t.Error(err)
				return
			}
			if !strings.Contains(d.Classpath, "rocketmq-broker-"+Version+".jar") {
				t.Errorf("the class path lacks the broker: %s", d.Classpath)
			}
		})
	}
	fetchers.Wait()
	if n := log.seen["RocketMQ is downloaded"]; n != 1 {
		t.Errorf("three fetchers downloaded %d times", n)
	}
	if left, _ := filepath.Glob(filepath.Join(root, "download-*")); len(left) > 0 {
		t.Errorf("downloads are left behind: %v", left)
	}
}

func TestAnInterruptedDownloadLeavesNothingBehind(t *testing.T) {
	root := emptyCache(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Fetch(ctx, slog.New(slog.DiscardHandler)); !errors.Is(err, context.Canceled) {
		t.Errorf("got the error %v, want that of the context", err)
	}
	left, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range left {
		if entry.Name() != "lock" {
			t.Errorf("%s is left behind", entry.Name())
		}
	}
}

func TestAMissingToolIsNamedWithWhatToInstall(t *testing.T) {
	onlyJava := t.TempDir()
	java, err := Tool("java")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(java, filepath.Join(onlyJava, "java")); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ path, want string }{
		"without java":  {t.TempDir(), "install a JDK"},
		"without Maven": {onlyJava, "install Apache Maven"},
	} {
		t.Run(name, func(t *testing.T) {
			emptyCache(t)
			t.Setenv("JAVA_HOME", "")
			t.Setenv("PATH", test.path)
			_, err := Fetch(t.Context(), slog.New(slog.DiscardHandler))
			mustFail(t, err, test.want)
		})
	}
}

func TestThePOMNamesTheVersionThatTheCacheIsKeyedBy(t *testing.T) {
	if want := "<rocketmq.version>" + Version + "</rocketmq.version>"; !strings.Contains(string(pom), want) {
		t.Errorf("pom.xml does not contain %s", want)
	}
}
