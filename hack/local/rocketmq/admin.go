// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const adminMain = "org.apache.rocketmq.tools.command.MQAdminStartup"

// Admin runs mqadmin against this cluster, with the administrator's credentials if it has an ACL, and returns what it
// printed. args are the command and its flags; the name server is added.
func (c *Cluster) Admin(ctx context.Context, args ...string) (string, error) {
	return c.distribution.Admin(ctx, c.NameServer(), c.options.adminHome(), args...)
}

// Admin runs mqadmin against any name server. home is a folder for its logs in which conf/tools.yml, if there is one,
// holds its credentials (accessKey, secretKey). mqadmin ends well whatever happened, so read what it printed.
func (d *Distribution) Admin(ctx context.Context, nameServer, home string, args ...string) (string, error) {
	command := slices.Concat([]string{"-Duser.home=" + home, "-Drocketmq.home.dir=" + home}, fastStart,
		[]string{"-cp", d.Classpath, adminMain}, args, []string{"-n", nameServer})
	cmd := exec.CommandContext(ctx, d.Java, command...)
	cmd.Env = append(os.Environ(), "ROCKETMQ_HOME="+home)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("run mqadmin %v: %w\n%s", args, err, lastLines(out, 20))
	}
	return string(out), nil
}

// AdminUntil runs mqadmin, as run does, until it prints all of the words, five times at most, and returns what it printed
// last: on a busy machine the tool runs out of its own few seconds, and ends well all the same.
func AdminUntil(run func() (string, error), words ...string) (printed string, err error) {
	for range 5 {
		printed, err = run()
		for _, word := range words {
			if err == nil && !strings.Contains(printed, word) {
				err = fmt.Errorf("mqadmin did not print %q:\n%s", word, printed)
			}
		}
		if err == nil {
			break
		}
	}
	return printed, err
}

// adminHome is mqadmin's folder.
func (o Options) adminHome() string { return filepath.Join(o.Dir, "admin") }

// writeAdminCredentials leaves the ACL's administrator where mqadmin looks for its user.
func (c *Cluster) writeAdminCredentials() error {
	user := c.options.ACL
	if user == nil {
		return nil
	}
	conf := filepath.Join(c.options.adminHome(), "conf")
	if err := os.MkdirAll(conf, 0o700); err != nil {
		return fmt.Errorf("create mqadmin's folder: %w", err)
	}
	content := fmt.Sprintf("accessKey: %q\nsecretKey: %q\n", user.Name, user.Password) // YAML reads Go's quotes
	if err := os.WriteFile(filepath.Join(conf, "tools.yml"), []byte(content), 0o600); err != nil {
		return fmt.Errorf("write mqadmin's credentials: %w", err)
	}
	return nil
}
