// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package witness

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/orderflow-dev/orderflow/hack/local/lock"
	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
)

//go:embed java/*.java
var sources embed.FS

// command returns how to run the witness whose class is main until ctx ends, compiling it first if need be. java are
// options for Java.
func command(ctx context.Context, t testing.TB, main string, options any, java ...string) *exec.Cmd {
	t.Helper()
	distribution, err := rocketmq.Fetch(t.Context(), slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	classes, err := compile(t.Context(), distribution)
	if err != nil {
		t.Fatal(err)
	}
	argument, err := json.Marshal(options)
	if err != nil {
		t.Fatalf("encode the options of the %s: %v", main, err)
	}
	args := append([]string{
		"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Duser.home=" + t.TempDir(), // its logs go there
		"-Dcom.rocketmq.remoting.client.connect.timeout=60000", // ms, see TIMEOUT_MILLIS in Witness.java
	}, java...)
	args = append(args, "-cp", classes+string(os.PathListSeparator)+distribution.Classpath, main, string(argument))
	cmd := exec.CommandContext(ctx, distribution.Java, args...)
	cmd.Stderr = t.Output()
	return cmd
}

// compile returns the folder of the compiled witnesses. It appears complete or not at all.
func compile(ctx context.Context, distribution *rocketmq.Distribution) (string, error) {
	files, hash, err := readSources()
	if err != nil {
		return "", err
	}
	classes := filepath.Join(distribution.Root, "witness-"+hash)
	held, err := lock.Acquire(ctx, filepath.Join(distribution.Root, "witness.lock"), func() {})
	if err != nil {
		return "", err
	}
	defer held.Close()
	if _, err := os.Stat(classes); !errors.Is(err, fs.ErrNotExist) {
		return classes, err
	}
	javac, err := rocketmq.Tool("javac")
	if err != nil {
		return "", err
	}
	staging, err := os.MkdirTemp(distribution.Root, "compile-")
	if err != nil {
		return "", fmt.Errorf("create the folder to compile in: %w", err)
	}
	defer os.RemoveAll(staging)
	out := filepath.Join(staging, "classes")
	args := []string{"-encoding", "UTF-8", "-d", out, "-cp", distribution.Classpath}
	for name, content := range files {
		file := filepath.Join(staging, name)
		if err := os.WriteFile(file, content, 0o644); err != nil {
			return "", fmt.Errorf("write the witness's source: %w", err)
		}
		args = append(args, file)
	}
	if said, err := exec.CommandContext(ctx, javac, args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("compile the witnesses: %w\n%s", err, said)
	}
	if err := os.Rename(out, classes); err != nil {
		return "", fmt.Errorf("publish the compiled witnesses: %w", err)
	}
	return classes, nil
}

// readSources returns the sources by file name and a hash of them all.
func readSources() (files map[string][]byte, hash string, err error) {
	entries, err := sources.ReadDir("java") // sorted by name
	if err != nil {
		return nil, "", fmt.Errorf("list the witnesses' sources: %w", err)
	}
	files, sum := map[string][]byte{}, sha256.New()
	for _, entry := range entries {
		content, err := sources.ReadFile("java/" + entry.Name())
		if err != nil {
			return nil, "", fmt.Errorf("read a witness's source: %w", err)
		}
		files[entry.Name()] = content
		fmt.Fprintf(sum, "%s %d\n%s", entry.Name(), len(content), content)
	}
	return files, hex.EncodeToString(sum.Sum(nil))[:16], nil
}
