module mediadex.tests/imagesearch-0.1.20

go 1.24

require (
	github.com/huaweicloud/huaweicloud-sdk-go-v3 v0.1.20
	mediadex.tests/local v0.0.0
)

require (
	github.com/json-iterator/go v1.1.12 // indirect
	github.com/modern-go/concurrent v0.0.0-20180228061459-e0a39a4cb421 // indirect
	github.com/modern-go/reflect2 v1.0.2 // indirect
	golang.org/x/crypto v0.0.0-20220525230936-793ad666bf5e // indirect
	gopkg.in/ini.v1 v1.66.6 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)

replace mediadex.tests/local => ../local
